"""The project: what a user holds, what is stored and what has been computed."""
