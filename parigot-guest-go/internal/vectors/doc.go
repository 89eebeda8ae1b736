// Package vectors reads tests/abi/vectors.txt, whose head says what stands in it.
package vectors
