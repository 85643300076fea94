"""What only clips have: people counted, the codec's part, who is exposed when, and what that comes to."""
