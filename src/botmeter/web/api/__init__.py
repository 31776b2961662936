"""The API, one file for each subject. The numbers come from `readside.queries`; here they are encoded as JSON."""
