// Package vectors reads tests/abi/vectors.txt. The head of that file describes its format.
package vectors
