"""What readers and writers of our topics share: consumed records, their dead letters, proofs that none is missing."""
