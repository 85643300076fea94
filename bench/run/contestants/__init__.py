"""Methods under test: called in a process of their own, timed, and what they answer taken."""
