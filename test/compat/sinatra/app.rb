require 'sinatra'

get '/' do
  File.open('visits.log', 'a') { |file| file.puts 'seen' }
  "visits: #{File.readlines('visits.log').size}\n"
end
