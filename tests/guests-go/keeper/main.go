// Keeper is a program that keeps its state in a key-value store. It is the Go version of
// tests/guests/keeper, which documents the arguments.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/kv"
	"github.com/parigot/parigot/parigot-guest-go/kv/kvpb"
)

func main() {
	ctx := context.Background()
	if _, err := parigot.Launch(ctx, kv.Require()).Await(ctx); err != nil {
		panic(err)
	}
	store := kv.MustLocate(ctx)
	for _, argument := range os.Args[1:] {
		end, err := run(ctx, store, strings.Split(argument, ":"))
		var refused kvpb.KvErr
		if errors.As(err, &refused) {
			present := []uint64{}
			for _, conflict := range parigot.DetailsOf[*kvpb.Conflict](err) {
				present = append(present, conflict.Revision)
			}
			end = fmt.Sprint(refused.String(), " ", present)
		} else if err != nil {
			end = err.Error()
		}
		slog.InfoContext(ctx, argument+": "+end)
	}
}

func run(ctx context.Context, store *kv.Store, parts []string) (string, error) {
	switch parts[0] {
	case "set":
		revision, err := store.Set(ctx, parts[1], []byte(parts[2]))
		return fmt.Sprint("revision ", revision), err
	case "add":
		revision, err := store.Set(ctx, parts[1], []byte(parts[2]), kv.IfAbsent())
		return fmt.Sprint("revision ", revision), err
	case "replace":
		condition := kv.IfRevision(number(parts[3]))
		revision, err := store.Set(ctx, parts[1], []byte(parts[2]), condition)
		return fmt.Sprint("revision ", revision), err
	case "get":
		entry, ok, err := store.Get(ctx, parts[1])
		if !ok {
			return "absent", err
		}
		return string(entry.Value), err
	case "delete":
		existed, err := store.Delete(ctx, parts[1])
		return fmt.Sprint("existed ", existed), err
	case "batch":
		batch := store.Batch().Check(parts[1], number(parts[2]))
		batch.Set(parts[1]+"/a", []byte("a")).Set(parts[1]+"/b", []byte("b"))
		revisions, err := batch.Commit(ctx)
		texts := []string{}
		for _, revision := range revisions {
			texts = append(texts, fmt.Sprint(revision))
		}
		return "revisions [" + strings.Join(texts, ", ") + "]", err
	case "scan":
		keys := []string{}
		for entry, err := range store.Scan(ctx, parts[1], kv.KeysOnly(), kv.PageEntries(2)) {
			if err != nil {
				return "", err
			}
			keys = append(keys, entry.Key)
		}
		return strings.Join(keys, " "), nil
	case "count":
		count, err := kv.Update(ctx, store, "count", func(c *timestamppb.Timestamp) error {
			c.Seconds++
			return nil
		})
		return fmt.Sprint(count.GetSeconds()), err
	}
	return "", fmt.Errorf("unknown argument %q", parts)
}

func number(text string) uint64 {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return number
}
