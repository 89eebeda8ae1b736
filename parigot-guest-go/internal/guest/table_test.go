package guest

import "testing"

func TestTableKeepsValuesByNumber(t *testing.T) {
	var table table[uint64]
	const calls = 3 * recent
	for number := uint64(1); number <= calls; number++ {
		table.put(number, 10*number)
	}
	// Some calls end out of order, and later calls reuse their slots.
	for number := uint64(2); number <= calls; number += 2 {
		if value, ok := table.take(number); !ok || value != 10*number {
			t.Fatalf("%d: found %d, %v", number, value, ok)
		}
	}
	for number := uint64(calls + 1); number <= 2*calls; number++ {
		table.put(number, 10*number)
	}
	if want := calls/2 + calls; table.size != want {
		t.Fatalf("the size is %d, want %d", table.size, want)
	}
	for number := uint64(0); number <= 3*calls; number++ {
		isPresent := number%2 == 1 && number <= calls || number > calls && number <= 2*calls
		for _, read := range []func(uint64) (uint64, bool){table.get, table.take} {
			if value, ok := read(number); ok != isPresent || ok && value != 10*number {
				t.Fatalf("%d: found %d, %v", number, value, ok)
			}
		}
		if _, ok := table.get(number); ok {
			t.Fatalf("%d was not removed", number)
		}
	}
	if table.size != 0 || len(table.rest) != 0 {
		t.Fatalf("%d values are left, %d in the map", table.size, len(table.rest))
	}
}
