package guest

import "testing"

func TestATableHasWhatWasPutIntoIt(t *testing.T) {
	var table table[uint64]
	const calls = 3 * recent
	for number := uint64(1); number <= calls; number++ {
		table.put(number, 10*number)
	}
	// Some end out of order, and later ones take their places.
	for number := uint64(2); number <= calls; number += 2 {
		if value, ok := table.take(number); !ok || value != 10*number {
			t.Fatalf("%d: found %d, %v", number, value, ok)
		}
	}
	for number := uint64(calls + 1); number <= 2*calls; number++ {
		table.put(number, 10*number)
	}
	if want := calls/2 + calls; table.size != want {
		t.Fatalf("it has %d, want %d", table.size, want)
	}
	for number := uint64(0); number <= 3*calls; number++ {
		isThere := number%2 == 1 && number <= calls || number > calls && number <= 2*calls
		for _, read := range []func(uint64) (uint64, bool){table.get, table.take} {
			if value, ok := read(number); ok != isThere || ok && value != 10*number {
				t.Fatalf("%d: found %d, %v", number, value, ok)
			}
		}
		if _, ok := table.get(number); ok {
			t.Fatalf("%d is still there", number)
		}
	}
	if table.size != 0 || len(table.rest) != 0 {
		t.Fatalf("it has %d, of which %d in its map", table.size, len(table.rest))
	}
}
