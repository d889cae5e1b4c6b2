// Package memory is a store in memory: the whole contract of state.Store, kept for as long as the process
// lives. It is what tests and what-if runs use, and it can be made to fail and to crash at will.
package memory
