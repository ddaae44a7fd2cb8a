package bearer

import (
	"context"
	"maps"

	"github.com/salita-mesh/salita/sdk"
)

// denial is one that is not durable yet.
type denial struct {
	save func(context.Context) error
}

// Persist makes a denial that has happened here durable. When that fails Run
// keeps trying, unless there is nothing to deny: then the error is sdk.NotFound.
// A later denial of the same name takes the place of an earlier one. A caller
// that goes away does not stop what has begun.
func (t *Table[T]) Persist(ctx context.Context, name string, save func(context.Context) error) error {
	t.Settle(name)
	ctx, cancel := visiting(ctx)
	defer cancel()
	err := save(ctx)
	if err != nil && sdk.KindOf(err) != sdk.NotFound {
		t.PersistLater(name, save)
	}
	return err
}

// PersistLater leaves it to Run to make a denial durable.
func (t *Table[T]) PersistLater(name string, save func(context.Context) error) {
	t.mu.Lock()
	t.unsaved[name] = &denial{save}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Settle ends what Run has left to do about a denial, because something durable
// has made it pointless.
func (t *Table[T]) Settle(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.unsaved, name)
}

// saveDenials tries those that could not be stored so far.
func (t *Table[T]) saveDenials(ctx context.Context) {
	t.mu.Lock()
	unsaved := maps.Clone(t.unsaved)
	t.mu.Unlock()
	for name, d := range unsaved {
		if t.waits(name, d) {
			t.saveDenial(ctx, name, d)
		}
	}
}

func (t *Table[T]) waits(name string, d *denial) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsaved[name] == d
}

func (t *Table[T]) saveDenial(ctx context.Context, name string, d *denial) {
	ctx, cancel := visiting(ctx)
	defer cancel()
	if err := d.save(ctx); err != nil && sdk.KindOf(err) != sdk.NotFound {
		t.Log.Error("ended access is not stored yet", "name", name, "error", err)
		return
	}
	t.mu.Lock()
	if t.unsaved[name] == d {
		delete(t.unsaved, name)
	}
	t.mu.Unlock()
	t.Log.Info("ended access is stored", "name", name)
}
