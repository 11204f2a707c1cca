"""The ModelConversion resource: its types, its CRD, and the reasons of failures."""
