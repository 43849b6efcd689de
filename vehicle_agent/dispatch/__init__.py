"""The duty officer's desk: receives the notices of Rule 19, keeps the register, signs receipts."""
