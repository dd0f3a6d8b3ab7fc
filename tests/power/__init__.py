"""A disk that loses its power: what a program wrote and did not sync is gone, or half there."""
