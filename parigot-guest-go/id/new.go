package id

import (
	"crypto/rand"
	"encoding/binary"
)

// New returns a new id. Its random bits come from crypto/rand, which the host seeds.
func New[T Type]() ID[T] {
	var random [16]byte
	rand.Read(random[:]) // never fails
	return FromRandom[T](binary.BigEndian.Uint64(random[:8]), binary.BigEndian.Uint64(random[8:]))
}
