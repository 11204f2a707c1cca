"""Evidence from two sets of answers, and the judgement of it."""
