package main

import (
	"math"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// depth is the maximum nesting of messages, except required ones.
const depth = 3

// negativePacked divides the seeds that may have negative numbers in packed enum fields. Not every
// implementation writes these.
const negativePacked = 4

// A filler makes messages of any type, the same for each seed.
type filler struct {
	seed   uint64
	random *rand.Rand
}

func newFiller(seed uint64) filler {
	return filler{seed, rand.New(rand.NewPCG(seed, 0))}
}

// fill sets all required fields. Seed 0 sets no others, seed 1 sets all others up to the maximum
// depth, and any other seed sets some of them. Increasing seeds use the variants of a oneof in
// turn.
func (f filler) fill(message protoreflect.Message, level int) {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); f.sets(field, level) {
			f.set(message, field, level)
		}
	}
}

func (f filler) sets(field protoreflect.FieldDescriptor, level int) bool {
	if field.Cardinality() == protoreflect.Required {
		return true
	}
	oneof := field.ContainingOneof()
	if oneof != nil && f.seed%uint64(oneof.Fields().Len()) != uint64(turn(field)) {
		return false
	}
	inner := field.Message()
	if field.IsMap() {
		inner = field.MapValue().Message()
	}
	if inner != nil {
		if level == depth || level > 0 && f.random.IntN(4) > 0 {
			return false
		}
	}
	return f.seed == 1 || f.seed > 1 && f.random.IntN(3) > 0
}

// turn returns the position of a field in its oneof.
func turn(field protoreflect.FieldDescriptor) int {
	variants := field.ContainingOneof().Fields()
	for i := range variants.Len() {
		if variants.Get(i) == field {
			return i
		}
	}
	panic("a oneof must contain its fields")
}

func (f filler) set(message protoreflect.Message, field protoreflect.FieldDescriptor, level int) {
	switch {
	case field.IsMap():
		values := message.Mutable(field).Map()
		for range 1 + f.random.IntN(3) {
			value := f.value(field.MapValue(), values.NewValue, level)
			values.Set(f.value(field.MapKey(), nil, level).MapKey(), value)
		}
	case field.IsList():
		values := message.Mutable(field).List()
		for range 1 + f.random.IntN(3) {
			values.Append(f.value(field, values.NewElement, level))
		}
	default:
		fresh := func() protoreflect.Value { return message.NewField(field) }
		message.Set(field, f.value(field, fresh, level))
	}
}

// value returns one value of a field. fresh returns an empty message, for a field of messages.
func (f filler) value(
	field protoreflect.FieldDescriptor, fresh func() protoreflect.Value, level int,
) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.random.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.enum(field))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(any32(f))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		number := pick(f, 0, 1, -1, math.MinInt64, math.MaxInt64, int64(f.random.Uint64()))
		return protoreflect.ValueOfInt64(number)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		number := pick(f, 0, 1, math.MaxInt32+1, math.MaxUint32, f.random.Uint32())
		return protoreflect.ValueOfUint32(number)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		number := pick(f, 0, 1, math.MaxInt64+1, math.MaxUint64, f.random.Uint64())
		return protoreflect.ValueOfUint64(number)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(f.float32())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(f.float64())
	case protoreflect.StringKind:
		long := strings.Repeat("long ", 60)
		text := pick(f, "", "a", "\x00", "\u00e9\u202e\u4e16\U0001f980", long)
		return protoreflect.ValueOfString(text)
	case protoreflect.BytesKind:
		bytes := pick(f, nil, []byte{0}, []byte("\xff\xfe\x80"), make([]byte, 300))
		return protoreflect.ValueOfBytes(bytes)
	default:
		message := fresh()
		f.fill(message.Message(), level+1)
		return message
	}
}

func any32(f filler) int32 {
	return pick(f, 0, 1, -1, math.MinInt32, math.MaxInt32, int32(f.random.Uint32()))
}

// enum returns a declared number or, in an open enum, any other.
func (f filler) enum(field protoreflect.FieldDescriptor) protoreflect.EnumNumber {
	enum := field.Enum()
	number := enum.Values().Get(f.random.IntN(enum.Values().Len())).Number()
	if !enum.IsClosed() && f.random.IntN(3) == 0 {
		number = protoreflect.EnumNumber(any32(f))
	}
	if number < 0 && field.IsPacked() && f.seed%negativePacked != 0 {
		return f.enum(field)
	}
	return number
}

// float32 returns any bits, including NaNs with a payload, but not -0, which prost omits like 0.
func (f filler) float32() float32 {
	bits := pick(f,
		0, 1, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc01234, 0x7f7fffff, f.random.Uint32())
	return math.Float32frombits(bits)
}

func (f filler) float64() float64 {
	bits := pick(f,
		0, 1, 0x7ff<<52, 0xfff<<52, 0x7ff8<<48, 0xfff8_0000_0000_1234, 0x7fef_ffff_ffff_ffff,
		f.random.Uint64())
	return math.Float64frombits(bits)
}

func pick[T any](f filler, values ...T) T {
	return values[f.random.IntN(len(values))]
}
