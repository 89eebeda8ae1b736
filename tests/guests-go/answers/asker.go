package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "parigot.test/guests/stubs/answers/v1"
)

// runAsker asks the questions in the arguments. It is the Go version of tests/guests/asker, which
// documents the arguments.
func runAsker(ctx context.Context) {
	requires := []parigot.Requirement{
		pb.RequireAnswers().As("a"), pb.RequireAnswers().As("b"), pb.RequireDesk(),
	}
	if _, err := parigot.Launch(ctx, requires...).Await(ctx); err != nil {
		panic(err)
	}
	for _, argument := range os.Args[1:] {
		client, word, _ := strings.Cut(argument, "/")
		word, ms, isTimed := strings.Cut(word, "@")
		deadline := time.Minute
		if isTimed {
			deadline = must(time.ParseDuration(ms + "ms"))
		}
		slog.InfoContext(ctx, argument+": "+ask(ctx, client, word, deadline))
	}
}

func ask(ctx context.Context, client, word string, deadline time.Duration) string {
	var metadata parigot.ResponseMetadata
	asking := parigot.WithResponseMetadata(prepared(ctx, word), &metadata)
	asking, cancel := context.WithTimeout(asking, deadline)
	defer cancel()
	switch client {
	case "desk":
		answer, err := pb.MustLocateDesk(ctx).Pass(asking, question(word)).Await(ctx)
		return describe(answer, err, metadata)
	case "dynamic":
		answers := must(parigot.LocateDynamicNamed(ctx, "answers.v1.Answers", "a"))
		request := must(proto.Marshal(question(word)))
		asking := parigot.WithResponseMetadata(ctx, &metadata)
		asking = parigot.WithMetadata(asking, "colour", "green")
		asking = parigot.WithMetadataBin(asking, "token-bin", []byte{0xee})
		response, err := answers.Call(asking, "Ask", request).Await(ctx)
		answer := &pb.Answer{}
		if err == nil {
			err = proto.Unmarshal(response, answer)
		}
		return describe(answer, err, metadata)
	case "a", "b":
		answers := must(pb.LocateAnswersNamed(ctx, client))
		answer, err := answers.Ask(asking, question(word)).Await(ctx)
		return describe(answer, err, metadata)
	}
	return repeat(ctx, client, word, deadline)
}

func question(word string) *pb.Question {
	if word == "huge" {
		word = strings.Repeat("x", 17<<20)
	}
	return &pb.Question{Word: word}
}

// prepared returns a context with metadata if the word requires it.
func prepared(ctx context.Context, word string) context.Context {
	if !strings.HasPrefix(word, "metadata") {
		return ctx
	}
	ctx = parigot.WithMetadata(ctx, "colour", "red")
	ctx = parigot.WithMetadata(ctx, "Parigot-User", "root")
	ctx = parigot.WithMetadata(ctx, "colour", "blue")
	ctx = parigot.WithMetadataBin(ctx, "token-bin", []byte{0, 0xff, 0x10})
	ctx = parigot.WithMetadataBin(ctx, "token-bin", []byte{0xab})
	return parigot.WithMetadataBin(ctx, "token", []byte{1})
}

func repeat(ctx context.Context, client, word string, deadline time.Duration) string {
	answers := must(pb.LocateAnswersNamed(ctx, "a"))
	const ms = time.Millisecond
	policy := parigot.RetryPolicy{Attempts: 3, Backoff: ms}
	switch client {
	case "within":
		policy = parigot.RetryPolicy{
			Attempts: 1_000, Time: 150 * ms, Backoff: 10 * ms, BackoffMax: 20 * ms,
		}
	case "until":
		policy = parigot.RetryPolicy{
			Attempts: 1_000, Time: 20_000 * ms, Backoff: 5 * ms, BackoffMax: 50 * ms,
		}
	}
	attempts := 0
	var cancels []context.CancelFunc
	answer, err := parigot.Retry(ctx, policy, func() *pb.AnswersAskFuture {
		attempts++
		asking, cancel := context.WithTimeout(ctx, deadline)
		cancels = append(cancels, cancel)
		if client == "again" {
			return answers.AskAgain(asking, question(word))
		}
		return answers.Ask(asking, question(word))
	})
	for _, cancel := range cancels {
		cancel()
	}
	end := describe(answer, err, parigot.ResponseMetadata{})
	switch {
	case client == "until":
		return end
	case client == "within" && attempts >= 3:
		return end + "; several attempts"
	}
	return fmt.Sprintf("%s; attempts %d", end, attempts)
}

// describe returns the end of a call in one line. Only the texts of handlers are the same wherever
// the callee runs, so that the cause stands for the text of a failed call.
func describe(answer *pb.Answer, err error, metadata parigot.ResponseMetadata) string {
	if err == nil {
		return strconv.Quote(answer.GetText()) + describeAll(metadata)
	}
	fate := parigot.FateOf(err)
	text := fmt.Sprintf("%s, %v, %v", nameOf(err), parigot.CodeOf(err), fate)
	status, isStatus := errors.AsType[*parigot.CallError](err)
	if isStatus && fate != parigot.FateAnswered {
		text += fmt.Sprintf(", %v", status.Cause)
	} else {
		text += describeMessage(parigot.MessageOf(err))
	}
	pauses := parigot.DetailsOf[*durationpb.Duration](err)
	if len(pauses) < 10 {
		for _, pause := range pauses {
			text += fmt.Sprintf(", pause %d", pause.GetSeconds())
		}
	} else {
		text += fmt.Sprintf(", %d pauses", len(pauses))
	}
	for _, time := range parigot.DetailsOf[*timestamppb.Timestamp](err) {
		text += fmt.Sprintf(", time %d", time.GetSeconds())
	}
	return text + describeAll(metadata)
}

// nameOf returns the name of an error's value, or that it is a status.
func nameOf(err error) string {
	if own, ok := errors.AsType[pb.AnswersErr](err); ok {
		return own.String()
	}
	if own, ok := errors.AsType[pb.DeskErr](err); ok {
		return own.String()
	}
	if own, ok := errors.AsType[parigot.ErrorNumber](err); ok {
		return own.Error()
	}
	return "status"
}

// describeMessage returns a message without the ids of a nested call, or its length.
func describeMessage(message string) string {
	short, _, _ := strings.Cut(message, " (")
	switch {
	case short == "":
		return ""
	case len(short) < 100:
		return ", " + strconv.Quote(short)
	}
	return fmt.Sprintf(", text of %d bytes", len(short))
}

func describeAll(metadata parigot.ResponseMetadata) string {
	headers := describeEntries("headers", metadata.Headers)
	return headers + describeEntries("trailers", metadata.Trailers)
}

func describeEntries(name string, entries parigot.MetadataEntries) string {
	if len(entries) == 0 {
		return ""
	}
	return "; " + name + ": " + strings.Join(wordsOf(entries), " ")
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
