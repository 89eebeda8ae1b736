package guest

// recent is how many calls in a row a [table] holds without its map.
const recent = 64

// table has what belongs to calls, by their numbers, which ascend from 1. Most calls end before the next few have begun.
type table[T any] struct {
	size  int
	slots [recent]slot[T]
	rest  map[uint64]T // whose slots were taken
}

type slot[T any] struct {
	number uint64 // 0 if it is empty
	value  T
}

// put adds what belongs to a call.
func (t *table[T]) put(number uint64, value T) {
	t.size++
	if at := &t.slots[number%recent]; at.number == 0 {
		at.number, at.value = number, value
		return
	}
	if t.rest == nil {
		t.rest = map[uint64]T{}
	}
	t.rest[number] = value
}

// get returns what belongs to a call, if there is something.
func (t *table[T]) get(number uint64) (value T, ok bool) {
	if at := &t.slots[number%recent]; at.number == number {
		return at.value, number != 0
	}
	value, ok = t.rest[number]
	return value, ok
}

// take is get, and removes it.
func (t *table[T]) take(number uint64) (value T, ok bool) {
	if value, ok = t.get(number); !ok {
		return value, false
	}
	t.size--
	if at := &t.slots[number%recent]; at.number == number {
		*at = slot[T]{}
	} else {
		delete(t.rest, number)
	}
	return value, true
}
