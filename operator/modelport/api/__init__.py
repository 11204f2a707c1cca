"""The ModelConversion resource: its types, and the reasons of failures."""
