"""What a user asks for becomes a plan: every name looked up, every version written down."""
