package vectors

import (
	"os"
	"path/filepath"
	"testing"
)

// file returns the path of the vectors: tests/abi/vectors.txt in a folder above the tested package.
func file(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(folder, "tests", "abi", "vectors.txt")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		above := filepath.Dir(folder)
		if above == folder {
			t.Fatal("no folder above contains tests/abi/vectors.txt")
		}
		folder = above
	}
}
