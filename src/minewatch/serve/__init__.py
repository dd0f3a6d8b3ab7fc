"""HTTP, push and pages for people and programs."""
