"""Tools for operators: checks of the installation, dead letters, rules, and rescues of partitions."""
