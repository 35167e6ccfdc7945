"""Puts a message that is to be kept into a queue, and says how many are there."""
import pika

connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1"))
channel = connection.channel()
channel.queue_declare("seen", durable=True)
channel.confirm_delivery()
channel.basic_publish("", "seen", b"yes", pika.BasicProperties(delivery_mode=2), mandatory=True)
print("messages:", channel.queue_declare("seen", durable=True, passive=True).method.message_count)
