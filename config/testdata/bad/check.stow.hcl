variable "s" {
  sensitive = true
  default   = "hunter2!"
}
check "empty" {}                                      # ERROR: Missing block
check "values" {
  assert { condition = true }                         # ERROR: Missing argument
  assert {
    condition     = "perhaps"                         # ERROR: Wrong type
    error_message = "x"
  }
  assert {
    condition     = fleet.survives_any("zone")        # ERROR: Unknown label
    error_message = "x"
  }
  assert {
    condition     = fleet.survives_any_host
    error_message = "It is ${var.s}."                 # ERROR: Sensitive value where it would be shown
  }
}
