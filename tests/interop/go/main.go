// Command peer makes, decodes and encodes messages with the types of protoc-gen-go, or with dynamic
// types from a set of descriptors.
//
// It answers each line of stdin with one line of stdout. The answer to `fill NAME SEED` is a
// message of that type in hexadecimal digits, the same for each seed. The answer to `read NAME HEX`
// is the message decoded and encoded again, or `error: ` and the reason. Equal messages, compared
// bit by bit, give equal bytes.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// types finds the types of the program or, with an argument, of the set of descriptors in that
// file.
type types interface {
	FindMessageByName(protoreflect.FullName) (protoreflect.MessageType, error)
}

func main() {
	known := types(protoregistry.GlobalTypes)
	if len(os.Args) > 1 {
		known = dynamic(os.Args[1])
	}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		answer, err := answer(known, strings.Fields(line))
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Println(answer)
	}
}

// dynamic reads a FileDescriptorSet from a file.
func dynamic(path string) types {
	bytes, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(bytes, set); err != nil {
		log.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		log.Fatal(err)
	}
	return dynamicpb.NewTypes(files)
}

func answer(known types, words []string) (string, error) {
	if len(words) == 2 { // An empty message has no digits.
		words = append(words, "")
	}
	found, err := known.FindMessageByName(protoreflect.FullName(words[1]))
	if err != nil {
		return "", fmt.Errorf("%s: %w", words[1], err)
	}
	message := found.New()
	if words[0] == "fill" {
		seed, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			return "", err
		}
		newFiller(seed).fill(message, 0)
	} else {
		bytes, err := hex.DecodeString(words[2])
		if err != nil {
			return "", err
		}
		if err := proto.Unmarshal(bytes, message.Interface()); err != nil {
			return "", err
		}
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(message.Interface())
	return hex.EncodeToString(bytes), err
}
