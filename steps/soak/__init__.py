"""Cases played again and again for a long time: what happens once in a thousand times, and what grows or slows down."""
