package id

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Type is a type of id. An implementation is an empty struct whose methods return constants.
type Type interface {
	// Name returns the type's name in messages, ServiceID.
	Name() string
	// Prefix returns one to three characters of a-z and 0-9; the first is a letter.
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
	HostID     = ID[Host]     // id of a running host
	ServiceID  = ID[Service]  // id of a service of a deployment
	MethodID   = ID[Method]   // id of a method of a service
	CallID     = ID[Call]     // id of an rpc in flight
	InstanceID = ID[Instance] // id of a running guest
)

const (
	digits   = 23 // digits of the payload, without the check digit
	highMask = 1<<48 - 1
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
)

// ID is an id of type T. Ids of different types are different Go types.
//
// Ids compare with ==, and can be keys of maps. The zero id equals no id, not even itself, so a map
// never finds it.
type ID[T Type] struct {
	high, low uint64  // the payload: 48 and 64 bits
	unequal   float64 // NaN in the zero id, which makes == false; else 0
}

// Zero returns the id for "no answer".
func Zero[T Type]() ID[T] { return ofPayload[T](highMask, ^uint64(0)) }

// ofPayload returns the id with that payload.
func ofPayload[T Type](high, low uint64) ID[T] {
	id := ID[T]{high: high & highMask, low: low}
	if id.IsZero() {
		id.unequal = math.NaN()
	}
	return id
}

// New returns an id of random bits. In a guest the random bits come from the host.
func New[T Type]() ID[T] {
	var random [16]byte
	rand.Read(random[:]) // never fails
	le := binary.LittleEndian
	return FromRandom[T](le.Uint64(random[:8]), le.Uint64(random[8:]))
}

// FromRandom returns an id of the low 112 of 128 random bits. The id is neither empty nor zero,
// since those two payloads are replaced.
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

// FromWire reads the wire form. (0, 0), an unset field of a message, gives the empty id. The error
// of a tag of another type is a [TypeError].
func FromWire[T Type](high, low uint64) (ID[T], error) {
	if (high|low) != 0 && high>>48 != tag[T]() {
		return ID[T]{}, wrongType[T]()
	}
	return ofPayload[T](high, low), nil
}

// Wire returns the wire form: the high and the low half.
func (id ID[T]) Wire() (high, low uint64) { return tag[T]()<<48 | id.high, id.low }

// Key returns all 128 bits, as a key for maps. Unlike zero ids, their keys are equal.
func (id ID[T]) Key() [2]uint64 {
	high, low := id.Wire()
	return [2]uint64{high, low}
}

// Equal reports whether the ids are equal, as == does.
func (id ID[T]) Equal(other ID[T]) bool { return id == other }

// IsEmpty reports whether the id is the empty id.
func (id ID[T]) IsEmpty() bool { return id.high == 0 && id.low == 0 }

// IsZero reports whether the id is the zero id.
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

// Parse reads the text form. Its errors are [TypeError], [LengthError], [DigitError] and
// [CheckError].
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
	// The top 3 of the 115 bits are 0 in every id, so a first digit above 3 is an error.
	if checkDigit(values[:digits]) != values[digits] || values[0] > 3 {
		return ID[T]{}, CheckError{}
	}
	var high, low uint64
	for _, value := range values[:digits] {
		high, low = high<<5|low>>59, low<<5|uint64(value)
	}
	return ofPayload[T](high, low), nil
}

// Error is any error of this package. A handler that returns one fails its call with the code
// INVALID_ARGUMENT.
type Error interface {
	error
	idError()
}

func (TypeError) idError()    {}
func (MissingError) idError() {}
func (LengthError) idError()  {}
func (DigitError) idError()   {}
func (CheckError) idError()   {}

// TypeError is the error of a text or wire form of another type.
type TypeError struct{ Expected, Prefix string }

func wrongType[T Type]() error {
	var t T
	return TypeError{t.Name(), t.Prefix()}
}

func (e TypeError) Error() string {
	return fmt.Sprintf("not a %s: expected it to start with `%s_`", e.Expected, e.Prefix)
}

// MissingError is the error of a message without an id: its field is absent, or has no content.
type MissingError struct{ Expected string }

func (e MissingError) Error() string {
	return fmt.Sprintf("no %s: the id is missing", e.Expected)
}

// LengthError is the error of a wrong number of characters after the prefix.
type LengthError struct{ Found int }

func (e LengthError) Error() string {
	return fmt.Sprintf("expected %d characters after the prefix, found %d", digits+1, e.Found)
}

// DigitError is the error of a character that is not a digit. At is its index in the text, from 0.
type DigitError struct {
	Found rune
	At    int
}

func (e DigitError) Error() string {
	return fmt.Sprintf("%q at character %d is not a digit of an id", e.Found, e.At)
}

// CheckError is the error of a check digit that does not match: the text was mistyped.
type CheckError struct{}

func (CheckError) Error() string { return "the check digit does not match: a character is wrong" }

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

// tag returns the prefix read as a number in base 37: absent is 0, a-z are 1 to 26, 0-9 are 27 to
// 36.
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
