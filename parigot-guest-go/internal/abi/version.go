package abi

import "fmt"

// Version is a version of the ABI. A host runs guests of its own Major, and of no
// newer Minor.
type Version struct{ Major, Minor uint16 }

// Current is the version of this package.
var Current = Version{Major: 2, Minor: 0}

// UnpackVersion reads the packed form, which parigot_abi returns.
func UnpackVersion(packed uint32) Version { return Version{uint16(packed >> 16), uint16(packed)} }

// Packed returns the packed form, which parigot_abi returns.
func (v Version) Packed() uint32 { return uint32(v.Major)<<16 | uint32(v.Minor) }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }
