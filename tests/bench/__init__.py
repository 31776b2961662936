"""`make bench`: botmeter beside other stream processors, on one Kafka, with the same input, in one run."""
