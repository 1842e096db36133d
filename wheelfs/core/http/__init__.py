"""HTTP rules: ranges, conditions, authorization."""
