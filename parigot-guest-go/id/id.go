package id

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Type makes ids distinct. An implementation is an empty struct whose methods return constants.
type Type interface {
	// Name is what messages call it, ServiceID.
	Name() string
	// Prefix is one to three of a-z and 0-9, the first a letter.
	Prefix() string
}

// The types of parigot's own ids.
type (
	Host     struct{}
	Service  struct{}
	Method   struct{}
	Call     struct{}
	Instance struct{}
)

func (Host) Name() string       { return "HostID" }
func (Host) Prefix() string     { return "hst" }
func (Service) Name() string    { return "ServiceID" }
func (Service) Prefix() string  { return "svc" }
func (Method) Name() string     { return "MethodID" }
func (Method) Prefix() string   { return "mth" }
func (Call) Name() string       { return "CallID" }
func (Call) Prefix() string     { return "cal" }
func (Instance) Name() string   { return "InstanceID" }
func (Instance) Prefix() string { return "ins" }

// Parigot's own ids.
type (
	HostID     = ID[Host]     // one running host
	ServiceID  = ID[Service]  // one service of a deployment
	MethodID   = ID[Method]   // one method of a service
	CallID     = ID[Call]     // one rpc in flight
	InstanceID = ID[Instance] // one running guest
)

const (
	digits   = 23 // of the payload, without the check digit
	highMask = 1<<48 - 1
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
)

// ID is an id of type T. Ids compare with ==, and are keys of maps: ids of different types do not compile together. Zero, which stands where
// there is no answer, equals nothing, not even itself; as a key it is never found.
type ID[T Type] struct {
	high, low uint64  // the payload: 48 and 64 bits
	unequal   float64 // not a number in zero, 0 in all else: what makes == say so
}

// Zero returns the id that stands where there is no answer.
func Zero[T Type]() ID[T] { return ofPayload[T](highMask, ^uint64(0)) }

// ofPayload returns the id with that payload.
func ofPayload[T Type](high, low uint64) ID[T] {
	id := ID[T]{high: high & highMask, low: low}
	if id.IsZero() {
		id.unequal = math.NaN()
	}
	return id
}

// New returns an id of random bits: those of the host, in a guest.
func New[T Type]() ID[T] {
	var random [16]byte
	rand.Read(random[:]) // never fails
	return FromRandom[T](binary.LittleEndian.Uint64(random[:8]), binary.LittleEndian.Uint64(random[8:]))
}

// FromRandom returns an id of the lower 112 of 128 random bits. It is neither empty nor zero: those two are replaced.
func FromRandom[T Type](high, low uint64) ID[T] {
	id := ID[T]{high: high & highMask, low: low}
	switch {
	case id.IsEmpty():
		id.low++
	case id.IsZero():
		id.low--
	}
	return id
}

// FromWire reads the wire form. (0, 0), a message's unset field, is empty.
func FromWire[T Type](high, low uint64) (ID[T], error) {
	if (high|low) != 0 && high>>48 != tag[T]() {
		return ID[T]{}, wrongType[T]()
	}
	return ofPayload[T](high, low), nil
}

// Wire returns the wire form: high and low half.
func (id ID[T]) Wire() (high, low uint64) { return tag[T]()<<48 | id.high, id.low }

// Key returns all 128 bits: as keys of maps, unlike ids themselves, those of zero ids are equal.
func (id ID[T]) Key() [2]uint64 {
	high, low := id.Wire()
	return [2]uint64{high, low}
}

// Equal is ==, for those who look for a method.
func (id ID[T]) Equal(other ID[T]) bool { return id == other }

// IsEmpty reports whether nobody has set it.
func (id ID[T]) IsEmpty() bool { return id.high == 0 && id.low == 0 }

// IsZero reports whether it stands for no answer.
func (id ID[T]) IsZero() bool { return id.high == highMask && id.low == ^uint64(0) }

// String returns the text form.
func (id ID[T]) String() string {
	values := id.digits()
	return text[T](append(values[:], checkDigit(values[:])))
}

// Short returns the short form, which cannot be parsed.
func (id ID[T]) Short() string {
	values := id.digits()
	return text[T](values[digits-6:])
}

// digits returns the values of the payload's digits, the highest bits first.
func (id ID[T]) digits() [digits]byte {
	var values [digits]byte
	high, low := id.high, id.low
	for k := digits - 1; k >= 0; k-- {
		values[k] = byte(low & 31)
		high, low = high>>5, low>>5|high<<59
	}
	return values
}

func text[T Type](values []byte) string {
	var out strings.Builder
	var t T
	out.WriteString(t.Prefix())
	out.WriteByte('_')
	for _, value := range values {
		out.WriteByte(alphabet[value])
	}
	return out.String()
}

// Parse reads the text form. Its errors are [TypeError], [LengthError], [DigitError] and [CheckError].
func Parse[T Type](text string) (ID[T], error) {
	var t T
	prefix := t.Prefix() + "_"
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return ID[T]{}, wrongType[T]()
	}
	if found := utf8.RuneCountInString(rest); found != digits+1 {
		return ID[T]{}, LengthError{Found: found}
	}
	var values [digits + 1]byte
	for k, found := range []rune(rest) {
		value := strings.IndexRune(alphabet, found)
		if value < 0 {
			return ID[T]{}, DigitError{Found: found, At: len(prefix) + k}
		}
		values[k] = byte(value)
	}
	// The top 3 of the 115 bits are 0 in every id, so a first digit above 3 was mistyped.
	if checkDigit(values[:digits]) != values[digits] || values[0] > 3 {
		return ID[T]{}, CheckError{}
	}
	var high, low uint64
	for _, value := range values[:digits] {
		high, low = high<<5|low>>59, low<<5|uint64(value)
	}
	return ofPayload[T](high, low), nil
}

// TypeError says that text or numbers are no id of the expected type.
type TypeError struct{ Expected, Prefix string }

func wrongType[T Type]() error {
	var t T
	return TypeError{t.Name(), t.Prefix()}
}

func (e TypeError) Error() string {
	return fmt.Sprintf("not a %s: expected it to start with `%s_`", e.Expected, e.Prefix)
}

// LengthError says how many characters follow the prefix.
type LengthError struct{ Found int }

func (e LengthError) Error() string {
	return fmt.Sprintf("expected %d characters after the prefix, found %d", digits+1, e.Found)
}

// DigitError names a character that is no digit, and its place in the text, from 0.
type DigitError struct {
	Found rune
	At    int
}

func (e DigitError) Error() string {
	return fmt.Sprintf("%q at character %d is no digit of an id", e.Found, e.At)
}

// CheckError says that the digits do not belong together: something was mistyped.
type CheckError struct{}

func (CheckError) Error() string { return "a character is wrong: the check digit does not fit" }

// checkDigit returns the sum of digit k times x^(23-k) in GF(32), by Horner's rule.
func checkDigit(values []byte) byte {
	var sum byte
	for _, value := range values {
		sum = (sum ^ value) << 1
		if sum&0b10_0000 != 0 {
			sum ^= 0b10_0101
		}
	}
	return sum
}

// tag returns the prefix read as a number in base 37: nothing is 0, a-z are 1 to 26, 0-9 are 27 to 36.
func tag[T Type]() uint64 {
	var t T
	prefix := t.Prefix()
	var tag uint64
	for k := range 3 {
		tag *= 37
		if k < len(prefix) {
			if c := prefix[k]; c >= 'a' {
				tag += uint64(c-'a') + 1
			} else {
				tag += uint64(c-'0') + 27
			}
		}
	}
	return tag
}
