// Package statetest is the suite that every state.Store passes: one test for each sentence of the
// contract, and a model that random operations are compared with.
package statetest
