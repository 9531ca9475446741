"""What deliveries of one provider look like, where several channels have the provider or one channel several."""
