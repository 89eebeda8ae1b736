package id_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/internal/vectors"
)

type q struct{}

func (q) Name() string   { return "QID" }
func (q) Prefix() string { return "q" }

type z90 struct{}

func (z90) Name() string   { return "Z90ID" }
func (z90) Prefix() string { return "z90" }

// caseOf holds the tests of one type of id.
type caseOf struct {
	good, constant, bad func(*testing.T, *vectors.Case)
}

var types = map[string]caseOf{
	"hst": of[id.Host](),
	"svc": of[id.Service](),
	"mth": of[id.Method](),
	"cal": of[id.Call](),
	"ins": of[id.Instance](),
	"q":   of[q](),
	"z90": of[z90](),
}

func of[T id.Type]() caseOf { return caseOf{good[T], constant[T], bad[T]} }

func TestIDs(t *testing.T) {
	each(t, "id", func(c caseOf) func(*testing.T, *vectors.Case) { return c.good })
}

func TestConstantIDs(t *testing.T) {
	each(t, "constant id", func(c caseOf) func(*testing.T, *vectors.Case) { return c.constant })
}

func TestBadIDs(t *testing.T) {
	each(t, "bad id", func(c caseOf) func(*testing.T, *vectors.Case) { return c.bad })
}

func each(t *testing.T, what string, check func(caseOf) func(*testing.T, *vectors.Case)) {
	vectors.Each(t, what, func(t *testing.T, c *vectors.Case) {
		prefix, _ := c.Text("prefix")
		of, ok := types[prefix]
		if !ok {
			t.Fatalf("unknown prefix: %s", prefix)
		}
		check(of)(t, c)
	})
}

func good[T id.Type](t *testing.T, c *vectors.Case) {
	random, _ := c.Text("random")
	high := vectors.Parse(t, random[:16], 16)
	low := vectors.Parse(t, random[16:], 16)
	checkID(t, c, id.FromRandom[T](high, low))
}

func constant[T id.Type](t *testing.T, c *vectors.Case) {
	var constant id.ID[T]
	if _, ok := c.Text("zero"); ok {
		constant = id.Zero[T]()
	}
	checkID(t, c, constant)
}

func checkID[T id.Type](t *testing.T, c *vectors.Case, want id.ID[T]) {
	wantText, _ := c.Text("text")
	wantShort, _ := c.Text("short")
	_, zero := c.Text("zero")
	_, empty := c.Text("empty")
	wire := c.Wire(t, "wire")
	check(t, want.String(), wantText)
	check(t, want.Short(), wantShort)
	check(t, want.Key(), wire)
	check(t, want.IsZero(), zero)
	check(t, want.IsEmpty(), empty)

	parsed, err := id.Parse[T](wantText)
	check(t, err, nil)
	read, err := id.FromWire[T](wire[0], wire[1])
	check(t, err, nil)
	for _, got := range []id.ID[T]{parsed, read} {
		check(t, got.Key(), want.Key())
		check(t, got.Equal(want), !zero)
		check(t, got == want, !zero)
		_, found := map[id.ID[T]]bool{want: true}[got]
		check(t, found, !zero)
	}
}

func bad[T id.Type](t *testing.T, c *vectors.Case) {
	text, ok := c.Text("text")
	_, err := id.Parse[T](text)
	if !ok {
		wire := c.Wire(t, "wire")
		_, err = id.FromWire[T](wire[0], wire[1])
	}
	want, _ := c.Text("error")
	check(t, kind(err), want)
}

// kind returns the name of an error in the vectors.
func kind(err error) string {
	if length, ok := errors.AsType[id.LengthError](err); ok {
		return fmt.Sprint("length ", length.Found)
	}
	if digit, ok := errors.AsType[id.DigitError](err); ok {
		return fmt.Sprint("digit ", digit.At)
	}
	if errors.As(err, &id.CheckError{}) {
		return "check"
	}
	if errors.As(err, &id.TypeError{}) {
		return "type"
	}
	return fmt.Sprint(err)
}

func TestUnsetWireFormIsEmpty(t *testing.T) {
	read, err := id.FromWire[id.Service](0, 0)
	check(t, err, nil)
	check(t, read.Equal(id.ServiceID{}), true)
}

func check[T comparable](t *testing.T, found, want T) {
	t.Helper()
	if found != want {
		t.Fatalf("found %v, want %v", found, want)
	}
}
