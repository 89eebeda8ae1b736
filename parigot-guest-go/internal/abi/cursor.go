package abi

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// MalformedError is the error of bytes that do not match the layout.
type MalformedError struct {
	Offset   int    // offset of the error, in bytes from the start of the input
	Expected string // expected content at that offset
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("at byte %d: expected %s", e.Offset, e.Expected)
}

// cursor reads bytes from front to back. After the first error it returns zero values.
type cursor struct {
	bytes []byte
	at    int
	base  int // offset of bytes in the input
	err   error
}

func (c *cursor) atEnd() bool { return c.err != nil || c.at == len(c.bytes) }

func (c *cursor) fail(at int, expected string) {
	if c.err == nil {
		c.err = &MalformedError{c.base + at, expected}
	}
}

// take returns the next count bytes, or nil.
func (c *cursor) take(count int, expected string) []byte {
	if c.err != nil || count > len(c.bytes)-c.at {
		c.fail(c.at, expected)
		return nil
	}
	c.at += count
	return c.bytes[c.at-count : c.at : c.at]
}

func (c *cursor) uint16(expected string) uint16 {
	if field := c.take(2, expected); field != nil {
		return binary.LittleEndian.Uint16(field)
	}
	return 0
}

func (c *cursor) uint32(expected string) uint32 {
	if field := c.take(4, expected); field != nil {
		return binary.LittleEndian.Uint32(field)
	}
	return 0
}

func (c *cursor) uint64(expected string) uint64 {
	if field := c.take(8, expected); field != nil {
		return binary.LittleEndian.Uint64(field)
	}
	return 0
}

// counted reads a uint32 count and that many bytes. The offset of an error is that of the count.
func (c *cursor) counted(expected string) []byte {
	start := c.at
	count := c.uint32(expected)
	if c.err == nil && uint64(count) > uint64(len(c.bytes)-c.at) {
		c.fail(start, expected)
	}
	return c.take(int(count), expected)
}

func (c *cursor) string(expected string) string {
	start := c.at
	text := c.counted(expected)
	if !utf8.Valid(text) {
		c.fail(start, expected)
	}
	return string(text)
}

// end returns an error if bytes are left.
func (c *cursor) end() error {
	if !c.atEnd() {
		c.fail(c.at, "nothing more")
	}
	return c.err
}

func appendBytes(out, bytes []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(bytes))), bytes...)
}

func appendString(out []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(text))), text...)
}
