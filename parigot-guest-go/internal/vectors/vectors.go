package vectors

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Case is a case `[what] title` of the file.
type Case struct {
	What, Title string
	Fields      []Field
}

// Field is one line of a case.
type Field struct{ Name, Value string }

// Each runs check as a subtest on each case of that kind. There must be at least one.
func Each(t *testing.T, what string, check func(*testing.T, *Case)) {
	t.Helper()
	found := false
	for _, c := range Read(t) {
		if c.What == what {
			found = true
			t.Run(c.Title, func(t *testing.T) { check(t, &c) })
		}
	}
	if !found {
		t.Fatalf("the vectors must contain [%s]", what)
	}
}

// Read returns all cases.
func Read(t testing.TB) []Case {
	t.Helper()
	text, err := os.ReadFile(file(t))
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if what, title, ok := strings.Cut(line, "] "); ok && what[0] == '[' {
			cases = append(cases, Case{What: what[1:], Title: title})
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		last := &cases[len(cases)-1]
		last.Fields = append(last.Fields, Field{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return cases
}

// All returns the values of a field, in order.
func (c *Case) All(name string) []string {
	var values []string
	for _, field := range c.Fields {
		if field.Name == name {
			values = append(values, field.Value)
		}
	}
	return values
}

// Text returns the first value of a field, and whether there is one.
func (c *Case) Text(name string) (string, bool) {
	values := c.All(name)
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

// Number returns the number in a field, or 0 if the field is absent.
func (c *Case) Number(t testing.TB, name string) uint64 {
	t.Helper()
	text, ok := c.Text(name)
	if !ok {
		return 0
	}
	return Parse(t, text, 10)
}

// Hex returns the concatenated bytes of a field.
func (c *Case) Hex(t testing.TB, name string) []byte {
	t.Helper()
	return Hex(t, strings.Join(c.All(name), ""))
}

// Wire returns the wire form of an id, or zeros if the field is absent.
func (c *Case) Wire(t testing.TB, name string) [2]uint64 {
	t.Helper()
	text, ok := c.Text(name)
	if !ok {
		return [2]uint64{}
	}
	high, low, _ := strings.Cut(text, " ")
	return [2]uint64{Parse(t, high, 16), Parse(t, low, 16)}
}

// Parse parses a number.
func Parse(t testing.TB, text string, base int) uint64 {
	t.Helper()
	number, err := strconv.ParseUint(text, base, 64)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// Hex parses bytes.
func Hex(t testing.TB, text string) []byte {
	t.Helper()
	bytes, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}
