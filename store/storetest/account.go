package storetest

var accountTests []testCase
