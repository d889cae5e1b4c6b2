stowage {
  deletion_budget = 30                          # ERROR: Invalid value
  fleet           = "a b"                       # ERROR: Invalid name
}
