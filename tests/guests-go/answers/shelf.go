package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "parigot.test/guests/stubs/answers/v1"
)

// shelf serves answers.v1.Answers. It is the Go version of tests/guests/answers, which documents
// the words.
type shelf struct {
	parigot.ReadyAtOnce
	mu     sync.Mutex
	counts map[string]int // numbers of calls by word
}

func (s *shelf) Ask(ctx context.Context, in *pb.Question) *pb.AnswersAskFuture {
	return pb.AnswersAskDone(s.ask(ctx, in.GetWord()))
}

func (s *shelf) AskAgain(ctx context.Context, in *pb.Question) *pb.AnswersAskAgainFuture {
	return pb.AnswersAskAgainDone(s.ask(ctx, in.GetWord()))
}

func (s *shelf) ask(ctx context.Context, word string) (*pb.Answer, error) {
	count := s.count(word)
	if counted, ok := strings.CutPrefix(word, "count:"); ok {
		return answer(strconv.Itoa(s.countOf(counted)))
	}
	if strings.HasPrefix(word, "metadata") {
		setMetadata(ctx)
	}
	if strings.HasPrefix(word, "hang") {
		if count == 1 {
			<-ctx.Done()
		}
		return answer(fmt.Sprintf("call %d", count))
	}
	switch word {
	case "name":
		return answer(strings.Join(os.Args[1:], " "))
	case "metadata":
		return answer(metadataOf(ctx))
	case "spin":
		for {
		}
	case "leave":
		parigot.Exit(ctx, 7)
	}
	return nil, failure(word)
}

// count counts a call, and returns its number among the calls with the same word.
func (s *shelf) count(word string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[word]++
	return s.counts[word]
}

func (s *shelf) countOf(word string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[word]
}

func answer(text string) (*pb.Answer, error) { return &pb.Answer{Text: text}, nil }

// setMetadata sets headers and trailers, some of which only the host may set.
func setMetadata(ctx context.Context) {
	parigot.SetHeader(ctx, "served-by", "first")
	parigot.SetHeader(ctx, "served-by", "second")
	parigot.SetHeaderBin(ctx, "token-bin", []byte{0, 0xff, 0x10})
	parigot.SetHeaderBin(ctx, "token-bin", []byte{0xab})
	parigot.SetHeader(ctx, "parigot-user", "root")
	parigot.SetTrailer(ctx, "cost", "7")
	parigot.SetTrailer(ctx, "cost", "8")
	parigot.SetTrailerBin(ctx, "digest-bin", []byte{0xca, 0xfe})
	parigot.SetTrailerBin(ctx, "digest", []byte{1})
}

// metadataOf returns the entries of the request; the values of a binary key together.
func metadataOf(ctx context.Context) string {
	return strings.Join(wordsOf(parigot.MetadataOf(ctx)), " ")
}

// wordsOf describes entries; the values of a binary key together.
func wordsOf(entries parigot.MetadataEntries) []string {
	var words []string
	for _, entry := range entries {
		value := entry.Value
		if strings.HasSuffix(entry.Key, "-bin") {
			var values []string
			for _, decoded := range entries.GetAllBin(entry.Key) {
				values = append(values, fmt.Sprintf("%x", decoded))
			}
			value = strings.Join(values, ",")
		}
		words = append(words, entry.Key+"="+value)
	}
	return slices.Compact(words)
}

func failure(word string) error {
	switch word {
	case "error", "metadata-error":
		return pb.AnswersErr_CLOSED
	case "error-message":
		return parigot.WithMessage(pb.AnswersErr_MISSING, "no such shelf")
	case "error-details":
		return detailed(parigot.WithMessage(pb.AnswersErr_MISSING, "no such shelf"))
	case "metadata-status":
		return parigot.WithMessage(parigot.DataLoss, "burnt")
	case "status-details":
		return detailed(parigot.WithMessage(parigot.ResourceExhausted, "later"))
	case "ordinary":
		return errors.New("the shelf is empty")
	case "zero":
		return pb.AnswersErr_NONE
	case "zero-details":
		return detailed(parigot.WithMessage(pb.AnswersErr_NONE, "never sent"))
	case "zero-status":
		return detailed(parigot.WithMessage(parigot.OK, "never sent"))
	case "many-details":
		err := parigot.WithMessage(pb.AnswersErr_CLOSED, "dropped")
		for seconds := range int64(1_000) {
			err = parigot.WithDetail(err, &durationpb.Duration{Seconds: seconds})
		}
		return err
	case "long-message":
		// Characters of two bytes, so that the limit is in the middle of one.
		return parigot.WithMessage(pb.AnswersErr_CLOSED, "x"+strings.Repeat("ä", 9_000))
	}
	return parigot.WithMessage(parigot.Unimplemented, "unknown word "+word)
}

// detailed adds details of two types.
func detailed(err error) error {
	err = parigot.WithDetail(err, &durationpb.Duration{Seconds: 4})
	err = parigot.WithDetail(err, &timestamppb.Timestamp{Seconds: 5})
	return parigot.WithDetail(err, &durationpb.Duration{Seconds: 3})
}
