package abi

import "fmt"

// Version is a version of the ABI. Sides of equal Major understand each other.
type Version struct{ Major, Minor uint16 }

// Current is the version that this package reads and writes.
var Current = Version{Major: 1, Minor: 0}

// UnpackVersion reads the form in which parigot_abi returns it.
func UnpackVersion(packed uint32) Version { return Version{uint16(packed >> 16), uint16(packed)} }

// Packed returns the form in which parigot_abi returns it.
func (v Version) Packed() uint32 { return uint32(v.Major)<<16 | uint32(v.Minor) }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }
