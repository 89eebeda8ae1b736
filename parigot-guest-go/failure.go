package parigot

import (
	"cmp"
	"errors"
	"strings"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"google.golang.org/protobuf/proto"
)

// WithMessage adds a message for people to an error that a handler returns: to an error of the
// service's enum, to a [Code], or to a [CallError]. The caller reads it with [MessageOf].
//
//	return pb.SellDone(nil, parigot.WithMessage(pb.ShopErr_SoldOut, "no bread before 7"))
//
// A wrapped error has a message too: fmt.Errorf("no bread: %w", pb.ShopErr_SoldOut).
//
// If err is nil, WithMessage returns nil.
func WithMessage(err error, message string) error {
	if err == nil {
		return nil
	}
	return &annotatedError{err: err, message: message}
}

// WithDetail adds a message for programs to an error that a handler returns. The caller reads it by
// its type with [DetailsOf]. A failure has room for 8 KiB; details that do not fit are dropped, the
// last first.
//
// If err is nil or the message cannot be encoded, WithDetail returns err.
func WithDetail(err error, detail proto.Message) error {
	if err == nil {
		return nil
	}
	value, cannot := proto.Marshal(detail)
	if cannot != nil {
		return err
	}
	name := string(detail.ProtoReflect().Descriptor().FullName())
	return &annotatedError{err: err, details: []abi.ErrorDetail{{Type: name, Value: value}}}
}

// MessageOf returns the message for people of an error: that of a [CallError], or the one that the
// callee has added to an error of its enum. It is empty if there is none.
func MessageOf(err error) string {
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if noted, isNoted := cause.(*annotatedError); isNoted && noted.message != "" {
			return noted.message
		}
		if status, isStatus := cause.(*CallError); isStatus {
			return status.Message
		}
	}
	return ""
}

// DetailsOf returns the details of type T of an error, in the callee's order. Details that cannot
// be decoded are left out.
//
//	for _, pause := range parigot.DetailsOf[*durationpb.Duration](err) { … }
func DetailsOf[T proto.Message](err error) []T {
	var none T
	message := none.ProtoReflect()
	name := string(message.Descriptor().FullName())
	var found []T
	for _, detail := range detailsOf(err) {
		if detail.Type != name {
			continue
		}
		decoded := message.New().Interface()
		if decodeInto.Unmarshal(detail.Value, decoded) == nil {
			found = append(found, decoded.(T))
		}
	}
	return found
}

// detailsOf returns the details in the chain of an error. Those added first come first.
func detailsOf(err error) []abi.ErrorDetail {
	var all []abi.ErrorDetail
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		switch cause := cause.(type) {
		case *annotatedError:
			all = append(cause.details[:len(cause.details):len(cause.details)], all...)
		case *CallError:
			all = append(cause.details[:len(cause.details):len(cause.details)], all...)
		}
	}
	return all
}

// notesOf returns the message and the details to send with a status: those added to the status
// itself. The error of a nested call to another service is a part of the text, without its message
// and details.
func notesOf(err error) (message string, details []abi.ErrorDetail) {
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		switch cause := cause.(type) {
		case *annotatedError:
			if cause.isReceived {
				return message, details
			}
			message = cmp.Or(message, cause.message)
			details = append(cause.details[:len(cause.details):len(cause.details)], details...)
		case *CallError:
			all := cause.details[:len(cause.details):len(cause.details)]
			return message, append(all, details...)
		case ownError:
			return message, details
		}
	}
	return message, details
}

// CodeOf returns the gRPC code of an error: that of a [CallError] or a [Code], or that of an error
// of a service's enum, which is the code of the option (parigot.v1.error).code, else
// [FailedPrecondition]. The code of nil is [OK], that of other errors [Unknown].
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	if status, ok := errors.AsType[*CallError](err); ok {
		return status.Code
	}
	if code, ok := errors.AsType[Code](err); ok {
		return code
	}
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.StatusCode()
	}
	if _, ok := errors.AsType[ownError](err); ok {
		return FailedPrecondition
	}
	return Unknown
}

// codedError is an error of an enum that has the option (parigot.v1.error).
type codedError interface {
	error
	StatusCode() Code
}

// annotatedError is an error with a message or details.
type annotatedError struct {
	err        error
	message    string
	details    []abi.ErrorDetail
	isReceived bool // the callee of a call has added message and details
}

func (e *annotatedError) Error() string {
	if e.message == "" {
		return e.err.Error()
	}
	return e.err.Error() + ": " + e.message
}

func (e *annotatedError) Unwrap() error { return e.err }

// ownMessage returns the message to send with an error of the service's enum: the one that
// [WithMessage] has added, else the text that wraps the error.
func ownMessage[E future.ErrorType](own future.Error[E]) string {
	if message := MessageOf(own); message != "" {
		return message
	}
	bare := future.Error[E]{Value: own.Value}.Error()
	return strings.TrimSuffix(strings.TrimSuffix(own.Error(), bare), ": ")
}
