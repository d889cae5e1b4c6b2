variable "needed" {}                            # ERROR: Variable without a value
variable "n" {
  type    = number
  default = 1
}
