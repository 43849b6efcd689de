"""Messages between vehicle and units (Rule 19): one codec for both ends."""
