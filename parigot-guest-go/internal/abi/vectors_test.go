package abi_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/vectors"
)

func TestEveryCaseHasATest(t *testing.T) {
	here := []string{
		"names", "version", "prologue", "frame", "detail", "start", "credit", "manifest",
		"control", "malformed",
	}
	inPackageID := []string{"id", "constant id", "bad id"}
	for _, c := range vectors.Read(t) {
		if !slices.Contains(here, c.What) && !slices.Contains(inPackageID, c.What) {
			t.Errorf("no test reads [%s] %s", c.What, c.Title)
		}
	}
}

func TestNames(t *testing.T) {
	name := map[string]func(uint32) fmt.Stringer{
		"kind":  func(n uint32) fmt.Stringer { return abi.Kind(n) },
		"code":  func(n uint32) fmt.Stringer { return abi.Code(n) },
		"cause": func(n uint32) fmt.Stringer { return abi.Cause(n) },
		"level": func(n uint32) fmt.Stringer { return abi.Level(n) },
	}
	vectors.Each(t, "names", func(t *testing.T, c *vectors.Case) {
		for cause, given := range c.All("fate") {
			check(t, fmt.Sprint(cause, " ", abi.Cause(cause).Fate()), given)
		}
		for field, name := range name {
			var known []string
			for n := range uint32(0xffff) {
				if text := name(n).String(); !strings.Contains(text, "(") {
					known = append(known, fmt.Sprint(n, " ", text))
				}
			}
			if given := c.All(field); !slices.Equal(known, given) {
				t.Errorf("%s: %q, want %q", field, known, given)
			}
		}
	})
}

func TestVersions(t *testing.T) {
	vectors.Each(t, "version", func(t *testing.T, c *vectors.Case) {
		version := abi.Version{
			Major: uint16(c.Number(t, "major")),
			Minor: uint16(c.Number(t, "minor")),
		}
		packed := uint32(c.Number(t, "packed"))
		check(t, version.Packed(), packed)
		check(t, abi.UnpackVersion(packed), version)
	})
}

func TestPrologues(t *testing.T) {
	vectors.Each(t, "prologue", func(t *testing.T, c *vectors.Case) {
		want := abi.Prologue{
			MonotonicNS: c.Number(t, "monotonic_ns"),
			WallNS:      c.Number(t, "wall_ns"),
		}
		check(t, want.Append(nil), c.Hex(t, "bytes"))
		prologue, rest, err := abi.SplitPrologue(append(c.Hex(t, "bytes"), "frames"...))
		check(t, err, nil)
		check(t, prologue, want)
		check(t, string(rest), "frames")
	})
}

func TestFrames(t *testing.T) {
	vectors.Each(t, "frame", func(t *testing.T, c *vectors.Case) {
		want := frameOf(t, c)
		encoded, err := want.Append([]byte("8 bytes."))
		check(t, err, nil)
		check(t, encoded[8:], c.Hex(t, "bytes"))

		frame := onlyFrame(t, c.Hex(t, "bytes"))
		check(t, frame.Header, want.Header)
		check(t, string(frame.Payload), string(want.Payload))
		pairs, err := frame.Pairs()
		check(t, err, nil)
		check(t, pairs, pairsOf(c, "metadata"))
		detail := detailOf(t, c)
		if strings.HasPrefix(detail.Cause.String(), "Cause(") {
			detail.Cause = abi.CauseUnspecified
		}
		check(t, abi.ReadDetail(frame.Detail), detail)
	})
}

func TestDetails(t *testing.T) {
	vectors.Each(t, "detail", func(t *testing.T, c *vectors.Case) {
		check(t, abi.ReadDetail(c.Hex(t, "bytes")), detailOf(t, c))
	})
}

func detailOf(t *testing.T, c *vectors.Case) abi.Detail {
	detail := abi.Detail{Cause: abi.Cause(c.Number(t, "cause")), Instance: c.Wire(t, "callee")}
	detail.Message, _ = c.Text("message")
	for _, text := range c.All("detail") {
		name, value, _ := strings.Cut(text, " ")
		entry := abi.ErrorDetail{Type: name, Value: vectors.Hex(t, value)}
		detail.Details = append(detail.Details, entry)
	}
	return detail
}

func TestALongDetailIsShortened(t *testing.T) {
	entry := abi.ErrorDetail{Type: "a.B", Value: make([]byte, abi.DetailBytesMax/2)}
	long := abi.Detail{
		Message: strings.Repeat("ä", abi.DetailBytesMax),
		Details: []abi.ErrorDetail{entry, entry, {Type: "a.B"}},
	}
	encoded := long.Append(nil)
	// One byte is left: a character of the text has two.
	check(t, len(encoded), abi.DetailBytesMax-1)
	read := abi.ReadDetail(encoded)
	check(t, read.Details, []abi.ErrorDetail{entry})
	check(t, strings.HasPrefix(long.Message, read.Message), true)
	check(t, read.Append(nil), encoded)
}

func frameOf(t *testing.T, c *vectors.Case) abi.Frame {
	frame := abi.Frame{
		Header: abi.Header{
			Kind:       abi.Kind(c.Number(t, "kind")),
			Flags:      uint16(c.Number(t, "flags")),
			Number:     c.Number(t, "number"),
			Service:    uint32(c.Number(t, "service")),
			Method:     uint32(c.Number(t, "method")),
			Status:     uint32(c.Number(t, "status")),
			DeadlineNS: abi.NoDeadline,
			ID:         c.Wire(t, "id"),
		},
		Payload: c.Hex(t, "payload"),
	}
	if _, ok := c.Text("deadline_ns"); ok {
		frame.DeadlineNS = c.Number(t, "deadline_ns")
	}
	for _, pair := range pairsOf(c, "metadata") {
		frame.Metadata = abi.AppendPair(frame.Metadata, pair.Key, pair.Value)
	}
	if _, ok := c.Text("cause"); ok {
		frame.Detail = detailOf(t, c).Append(nil)
	}
	return frame
}

func TestFramesFollowEachOther(t *testing.T) {
	var together []byte
	var want []abi.Frame
	for _, c := range vectors.Read(t) {
		if c.What == "frame" {
			frame := c.Hex(t, "bytes")
			together = append(together, frame...)
			want = append(want, onlyFrame(t, frame))
		}
	}
	var frames []abi.Frame
	for frame, err := range abi.Frames(together) {
		check(t, err, nil)
		frames = append(frames, frame)
	}
	check(t, frames, want)
}

func TestStarts(t *testing.T) {
	vectors.Each(t, "start", func(t *testing.T, c *vectors.Case) {
		want := abi.Start{
			MessageBytesMax: uint32(c.Number(t, "message_bytes_max")),
			Seed:            [32]byte(c.Hex(t, "seed")),
			Instance:        c.Wire(t, "instance"),
			Descriptors:     c.Number(t, "descriptors") == 1,
			Args:            c.All("arg"),
			Env:             pairsOf(c, "env"),
		}
		for _, text := range c.All("setting") {
			key, value, _ := strings.Cut(text, " ")
			setting := abi.Setting{Key: uint16(vectors.Parse(t, key, 10))}
			setting.Value = vectors.Hex(t, value)
			want.Settings = append(want.Settings, setting)
		}
		host, _ := c.Text("host")
		major, minor, _ := strings.Cut(host, ".")
		want.Host = abi.Version{
			Major: uint16(vectors.Parse(t, major, 10)),
			Minor: uint16(vectors.Parse(t, minor, 10)),
		}

		frame := want.Frame()
		encoded, err := frame.Append(nil)
		check(t, err, nil)
		check(t, encoded, c.Hex(t, "bytes"))

		frame = onlyFrame(t, c.Hex(t, "bytes"))
		check(t, frame.Kind, abi.KindStart)
		start, err := abi.ReadStart(&frame)
		check(t, err, nil)
		check(t, start, want)
	})
}

func TestCredits(t *testing.T) {
	vectors.Each(t, "credit", func(t *testing.T, c *vectors.Case) {
		want := abi.Credit{Items: c.Number(t, "items"), Bytes: c.Number(t, "payload_bytes")}
		check(t, want.Append(nil), c.Hex(t, "bytes"))
		credit, err := abi.ReadCredit(c.Hex(t, "bytes"))
		check(t, err, nil)
		check(t, credit, want)
		sent := abi.Credit{Items: c.Number(t, "sent_items"), Bytes: c.Number(t, "sent_bytes")}
		check(t, credit.Permits(sent), c.Number(t, "permits") == 1)
	})
}

func TestFramesOfStreams(t *testing.T) {
	vectors.Each(t, "frame", func(t *testing.T, c *vectors.Case) {
		frame := onlyFrame(t, c.Hex(t, "bytes"))
		read, err := abi.ReadStreamFrame(&frame)
		kind, ok := c.Text("stream")
		check(t, err == nil, ok)
		if !ok {
			return
		}
		check(t, read.Kind.String(), kind)
		check(t, read.Number, frame.Number)
		check(t, read.ToCallee, frame.Flags != 0)
		switch read.Kind {
		case abi.KindItem:
			check(t, read.Item, frame.Payload)
		case abi.KindCredit:
			check(t, read.Credit.Append(nil), frame.Payload)
		}
	})
}

func TestManifests(t *testing.T) {
	vectors.Each(t, "manifest", func(t *testing.T, c *vectors.Case) {
		want := manifestOf(t, c)
		check(t, want.Append(nil), c.Hex(t, "bytes"))
		manifest, err := abi.ReadManifest(c.Hex(t, "bytes"))
		check(t, err, nil)
		check(t, manifest.Append(nil), c.Hex(t, "bytes"))
		// The text form does not distinguish an empty slice from nil.
		check(t, fmt.Sprint(manifest), fmt.Sprint(want))
	})
}

func manifestOf(t *testing.T, c *vectors.Case) abi.Manifest {
	var manifest abi.Manifest
	var last *abi.Service
	for _, field := range c.Fields {
		words := strings.Split(field.Value, " ")
		switch field.Name {
		case "exports":
			manifest.Exports = append(manifest.Exports, serviceOf(t, words))
			last = &manifest.Exports[len(manifest.Exports)-1]
		case "requires":
			required := abi.Requirement{Service: serviceOf(t, words)}
			manifest.Requires = append(manifest.Requires, required)
			last = &manifest.Requires[len(manifest.Requires)-1].Service
		case "method":
			method := abi.Method{
				Name:       words[0],
				BudgetNS:   vectors.Parse(t, words[1], 10),
				DeadlineNS: vectors.Parse(t, words[2], 10),
			}
			if len(words) > 3 {
				method.Flags = abi.MethodFlags(vectors.Parse(t, words[3], 10))
			}
			last.Methods = append(last.Methods, method)
		case "binding":
			manifest.Requires[len(manifest.Requires)-1].Binding = field.Value
		case "descriptors":
			manifest.Descriptors = vectors.Hex(t, field.Value)
		}
	}
	return manifest
}

func serviceOf(t *testing.T, words []string) abi.Service {
	return abi.Service{Name: words[0], Schema: vectors.Parse(t, words[1], 16)}
}

func TestControlBlocks(t *testing.T) {
	vectors.Each(t, "control", func(t *testing.T, c *vectors.Case) {
		number := func(name string) uint64 { return c.Number(t, name) }
		var control abi.Control
		control.Open()
		control.SetInbox(number("inbox_address"), number("inbox_capacity"))
		control.SetOutbox(number("outbox_address"), number("outbox_committed"))
		control.SetProgress(
			number("progress_call"),
			uint32(number("progress_service")),
			uint32(number("progress_method")),
		)
		control.SetTurn(number("more") == 1, number("wake_at_ns"), number("polls"))
		control.SetPanicBuffer(number("panic_address"), number("panic_capacity"))
		control.SetPanic(number("panic_bytes"))
		control.SetBegun(number("begun_low"))
		control.SetBegun(number("begun_high"))
		memory := (*[abi.ControlBytes]byte)(unsafe.Pointer(&control))
		check(t, unsafe.Sizeof(control), abi.ControlBytes)
		check(t, control.YieldNow(), false)
		check(t, control.TimersMoved(), false)
		for _, writtenByHost := range []int{48, 96} {
			copy(memory[writtenByHost:][:4], c.Hex(t, "bytes")[writtenByHost:])
		}
		check(t, memory[:], c.Hex(t, "bytes"))
		check(t, control.YieldNow(), number("yield_now") == 1)
		check(t, control.TimersMoved(), number("timers_moved") == 1)
	})
}

func TestMalformedBytes(t *testing.T) {
	vectors.Each(t, "malformed", func(t *testing.T, c *vectors.Case) {
		input := c.Hex(t, "bytes")
		var err error
		switch reader, _ := c.Text("reader"); reader {
		case "prologue":
			_, _, err = abi.SplitPrologue(input)
		case "frames":
			for _, err = range abi.Frames(input) {
			}
		case "metadata":
			frame := onlyFrame(t, input)
			_, err = frame.Pairs()
		case "start":
			frame := onlyFrame(t, input)
			_, err = abi.ReadStart(&frame)
		case "stream":
			frame := onlyFrame(t, input)
			_, err = abi.ReadStreamFrame(&frame)
		case "credit":
			_, err = abi.ReadCredit(input)
		case "manifest":
			_, err = abi.ReadManifest(input)
		default:
			t.Fatalf("unknown reader: %s", reader)
		}
		malformed, ok := errors.AsType[*abi.MalformedError](err)
		if !ok {
			t.Fatalf("found %v, want a MalformedError", err)
		}
		t.Log(malformed)
		check(t, malformed.Offset, int(c.Number(t, "offset")))
	})
}

func TestReadingCopiesNothing(t *testing.T) {
	frame := abi.Frame{Header: abi.NewHeader(abi.KindCall), Payload: []byte("request")}
	encoded, err := frame.Append(nil)
	check(t, err, nil)
	read := onlyFrame(t, encoded)
	check(t, &read.Payload[0], &encoded[abi.HeaderBytes])
	// An append to the payload must not overwrite the bytes behind it.
	check(t, cap(read.Payload), len(read.Payload))
}

func FuzzReaders(f *testing.F) {
	for _, c := range vectors.Read(f) {
		f.Add(c.Hex(f, "bytes"))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		end := 0
		for frame, err := range abi.Frames(input) {
			if err != nil {
				break
			}
			encoded, err := frame.Append(nil)
			check(t, err, nil)
			if !bytes.HasPrefix(input[end:], encoded) {
				t.Fatal("a frame has two encodings")
			}
			end += len(encoded)
			_, _ = frame.Pairs()
			_, _ = abi.ReadStart(&frame)
			_, _ = abi.ReadStreamFrame(&frame)
			_ = abi.ReadDetail(frame.Detail)
		}
		manifest, err := abi.ReadManifest(input)
		if err == nil && !bytes.Equal(manifest.Append(nil), input) {
			t.Fatal("a manifest has two encodings")
		}
	})
}

func onlyFrame(t *testing.T, input []byte) abi.Frame {
	t.Helper()
	var frames []abi.Frame
	for frame, err := range abi.Frames(input) {
		check(t, err, nil)
		frames = append(frames, frame)
	}
	if len(frames) != 1 {
		t.Fatalf("%d frames, want 1", len(frames))
	}
	return frames[0]
}

func pairsOf(c *vectors.Case, name string) []abi.Pair {
	var pairs []abi.Pair
	for _, text := range c.All(name) {
		key, value, _ := strings.Cut(text, "=")
		pairs = append(pairs, abi.Pair{Key: key, Value: value})
	}
	return pairs
}

func check[T any](t *testing.T, found, want T) {
	t.Helper()
	if !reflect.DeepEqual(found, want) {
		t.Fatalf("found %v, want %v", found, want)
	}
}
