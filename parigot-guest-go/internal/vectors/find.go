package vectors

import (
	"os"
	"path/filepath"
	"testing"
)

// file returns the path of the vectors, which lie in tests/abi above the package that is tested.
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
			t.Fatal("there is no tests/abi/vectors.txt in any folder above")
		}
		folder = above
	}
}
