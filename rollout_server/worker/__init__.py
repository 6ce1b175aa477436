"""The reference worker: it takes jobs, generates tokens with the shipped model or a stub, and streams them."""
