"""The operator: watches ModelConversions, and brings the cluster closer to what they say."""
