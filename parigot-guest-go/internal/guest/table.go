package guest

// recent is the number of consecutive calls that a [table] holds without its map.
const recent = 64

// table maps the numbers of calls to values. Numbers ascend from 1.
//
// Most calls end before the next few calls start, so most values fit in slots, which cost less than
// a map.
type table[T any] struct {
	size  int
	slots [recent]slot[T]
	rest  map[uint64]T // values whose slot was occupied
}

type slot[T any] struct {
	number uint64 // 0 if the slot is empty
	value  T
}

// put adds the value of a call.
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

// get returns the value of a call, if there is one.
func (t *table[T]) get(number uint64) (value T, ok bool) {
	if at := &t.slots[number%recent]; at.number == number {
		return at.value, number != 0
	}
	value, ok = t.rest[number]
	return value, ok
}

// take removes and returns the value of a call, if there is one.
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
