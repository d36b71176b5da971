"""Public: memory adapters and conformance suites for every port."""
