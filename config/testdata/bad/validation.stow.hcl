variable "n" {
  default = 1
  validation {
    condition     = var.n > 1                   # ERROR: Invalid value for a variable
    error_message = "more than one"
  }
}
